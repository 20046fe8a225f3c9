"""What the settings say of an MQTT broker: what is derived, what is refused, what is warned of."""

import logging

import pytest

from pipeline.mqtt_settings import MqttAddress
from sinks.tls import SYSTEM_AUTHORITIES, TlsFiles
from tests.pipeline.test_settings_connections import Environment, certificates, environment
from tests.secure.certificates import Certificates

__all__ = ["certificates", "environment"]

USER = {"MQTT_USER": "yangguang-gateway", "MQTT_PASSWORD": "s3cret-of-mqtt"}
