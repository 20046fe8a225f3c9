"""MQTT, the gateway's second door: what cameras and boxes publish on a broker goes the same way as what is posted.

A message is acknowledged to the broker when Kafka has acknowledged everything of it, the refused too. Until then the
broker keeps it, and gives it again after whatever has gone wrong."""

from pipeline.gateway.mqtt.door import MqttDoor, MqttOptions

__all__ = ["MqttDoor", "MqttOptions"]
