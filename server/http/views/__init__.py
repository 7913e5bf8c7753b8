"""Entities in the API's words (contract sections 2.3, 2.5 and 2.6).

Fields that have no value are sent as null. Times are RFC 3339 UTC; payloads, results, tags, settings
and metadata go out as the bytes that came in.
"""
