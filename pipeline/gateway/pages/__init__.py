"""Pages that describe the gateway: OpenAPI for HTTP, AsyncAPI for Kafka and MQTT, each as JSON and for people.

All is derived from the models of events and answers. Nothing on these pages is loaded from elsewhere."""

from pipeline.gateway.pages.asyncapi import asyncapi
from pipeline.gateway.pages.openapi import openapi
from pipeline.gateway.pages.routes import add_pages

__all__ = ["add_pages", "asyncapi", "openapi"]
