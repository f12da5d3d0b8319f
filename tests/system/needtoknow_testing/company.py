"""The company's side: clients and bookings with values that occur nowhere else."""

import itertools
import os
import secrets
from dataclasses import dataclass, field

_number = itertools.count(1)


@dataclass
class Person:
    """A client with one booking. `fields` is what the contract's views show of them."""
    subject_id: str
    booking_id: str
    fields: dict = field(default_factory=dict)

    def value(self, name):
        return self.fields[name]

    def sentinels(self):
        """Values that are nobody else's, and are in no name or number that may appear elsewhere."""
        return [value for name, value in self.fields.items() if value is not None and name not in (
            "client.newsletter_consent", "client.subject_id", "booking.booking_id", "booking.subject_id")]


def person(sandbox, consent=True, **columns):
    """Adds a client and a booking to the company's tables. `columns` override what is drawn; None is NULL."""
    token = secrets.token_hex(6)
    number = f"{os.getpid()}{next(_number):06d}"
    client = {
        "subject_id": f"C{number}",
        "given_name": f"Zoé-{token}",
        "family_name": f"Quenouille-{token}",
        "phone": f"01 99 00 {token}",
        "email": f"zoe.{token}@courriel.example",
        "street": f"{token} rue des Sentinelles",
        "postal_code": "44000",
        "city": f"Ville-{token}",
        "door_code": f"porte-{token}",
        "iban": f"FR76{token}",
        "newsletter_consent": consent,
    }
    booking = {
        "booking_id": f"B{number}",
        "subject_id": client["subject_id"],
        "tasks": f"Ménage {token}",
        "instructions": f"Le chat {token} ne doit pas sortir.",
    }
    for name, value in columns.items():
        (booking if name in booking and name != "subject_id" else client)[name] = value
    booking["subject_id"] = client["subject_id"]
    _insert(sandbox, "company.client", client)
    _insert(sandbox, "company.booking", booking)
    seen = dict(client)
    seen["home_address"] = f"{client['street']}, {client['postal_code']} {client['city']}"
    seen["district"] = client["city"]
    seen["invoice_identity"] = f"{client['given_name']} {client['family_name']}, {seen['home_address']}"
    for column in ("street", "postal_code", "city"):
        del seen[column]
    fields = {f"client.{name}": value for name, value in seen.items()}
    fields.update({f"booking.{name}": value for name, value in booking.items()})
    return Person(client["subject_id"], booking["booking_id"], fields)


def another_booking(sandbox, owner):
    """One more booking of the same client."""
    booking_id = f"B{os.getpid()}{next(_number):06d}"
    _insert(sandbox, "company.booking", {
        "booking_id": booking_id, "subject_id": owner.subject_id,
        "tasks": owner.fields["booking.tasks"], "instructions": owner.fields["booking.instructions"]})
    return Person(owner.subject_id, booking_id, {**owner.fields, "booking.booking_id": booking_id})


def _insert(sandbox, table, row):
    columns = ", ".join(row)
    sandbox.query(f"INSERT INTO {table} ({columns}) VALUES ({', '.join(['%s'] * len(row))})", *row.values())


RIGHTS = {"erased": 1, "restricted": 2, "objected": 3, "consent_withdrawn": 4}


def exercise(sandbox, subject_id, right, purpose=""):
    """What RightsService writes when a subject exercises a right."""
    sandbox.query("INSERT INTO needtoknow.right_in_force (subject_id, kind, purpose) VALUES (%s, %s, %s)",
                  subject_id, RIGHTS[right], purpose)
