"""Policies for tests: the example's, and services whose moments are seconds away."""

from .paths import POLICY

# Inserted below `services:`. `at-once` delivers when it is shared; `staged` in seconds; `contact` reads clients alone.
SERVICES = """\
  at-once:
    title: Tout de suite
    purpose: dpv:ServiceProvision
    legal_basis: contract
    recipients: provider
    max_duration: 30d
    releases:
      - { name: all, at: booked, fields: [client.district, client.home_address, client.door_code, booking.tasks] }
    expires: end
    delete_within: 24h
  staged:
    title: En quelques secondes
    purpose: dpv:ServiceProvision
    legal_basis: contract
    recipients: provider
    max_duration: 1h
    releases:
      - { name: planning, at: booked,   fields: [client.district, booking.tasks] }
      - { name: visit,    at: start-2s, fields: [client.given_name, client.home_address, booking.instructions] }
      - { name: entry,    at: start-1s, fields: [client.door_code], sensitive: true }
    expires: end+1s
    delete_within: 1h
  contact:
    title: Sans réservation
    purpose: dpv:CustomerCare
    legal_basis: legitimate-interest
    booking: none
    recipients: provider
    releases:
      - { name: contact, at: booked, fields: [client.given_name, client.email] }
    expires: end
    delete_within: 1h
  strict:
    title: Toutes les règles à la fois
    purpose: dpv:DirectMarketing
    legal_basis: consent
    requires: client.newsletter_consent
    recipients: provider
    max_duration: 2h
    releases:
      - { name: offer, at: start, fields: [client.email] }
    expires: end
    delete_within: 1h
"""

# What fresh recipients of the tests are authorised for.
PROVIDED = ["home-cleaning", "gardening", "newsletter", "at-once", "staged", "contact", "strict"]


def testing_policy(acknowledge_within=None, services=SERVICES):
    text = POLICY.read_text()
    assert text.count("\nservices:\n") == 1
    text = text.replace("\nservices:\n", f"\nservices:\n{services}")
    if acknowledge_within:
        assert "acknowledge_within: 30s" in text
        text = text.replace("acknowledge_within: 30s", f"acknowledge_within: {acknowledge_within}")
    return text
