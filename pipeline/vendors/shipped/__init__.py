"""Mappings that come with the project, made from public documents and not verified with the vendors."""
