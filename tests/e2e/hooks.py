"""hooks.py - senders of webhooks, for the tests: what each service puts into a request, and
signatures by Python's own hmac."""
import base64
import hashlib
import hmac
import json
import time

SECRETS = {"LINKMI_SECRET": "linkmi-secret-for-tests", "LINKME_SECRET": "linkme secret",
           "DUB_SECRET": "whsec_as-text", "OLD_SECRET": "the old one",
           "BITLY_SECRET": "Zq3vN8tK2xW7bR5mD9cF4hJ6", "HEADER_SECRET": "a-bearer",
           "CRM_WHSEC": "whsec_Z3Tfz3r8CJtu21sBCHuhVYJy24XFsfE/Z2+rYdMneig="}

CONFIG = """
server: { listen: 127.0.0.1:0, log_level: debug, public_url: "https://l.alice.bio" }
%(more)s
sites:
  - { id: alice.bio, timezone: Europe/Paris }
sources:
  - { id: linkmi, kind: linkmi, site: alice.bio, secrets_env: [LINKMI_SECRET, OLD_SECRET] }
  - { id: linkme, kind: linkme, site: alice.bio, secrets_env: [LINKME_SECRET] }
  - { id: dub, kind: dub, site: alice.bio, secrets_env: [DUB_SECRET] }
  - { id: bitly, kind: bitly, site: alice.bio, secrets_env: [BITLY_SECRET] }
  - { id: crm, kind: generic, site: alice.bio, scheme: standard, secrets_env: [CRM_WHSEC], map: { type: lead, contact.email: $.person.email } }
  - { id: timed, kind: generic, site: alice.bio, scheme: hmac, header: X-Signature, timestamp_header: X-Time, secrets_env: [LINKMI_SECRET], map: { type: click, link: $.code } }
  - { id: keyed, kind: generic, site: alice.bio, scheme: header, header: Authorization, secrets_env: [HEADER_SECRET], map: { type: click, link: $.code, ts: $.at } }
  - { id: list, kind: generic, site: alice.bio, scheme: header, header: X-Key, secrets_env: [HEADER_SECRET], each: $.items,
      map: { type: { path: $.what, is: { hit: view, sale: conversion } }, id: $.nr, "value.amount": $.sum, "value.currency": EUR, "props.plan": "$.tags[0]" } }
  - { id: open, kind: generic, site: alice.bio, scheme: none, allow_unsigned: true, map: { type: view } }
"""


def config(more=""):
    return CONFIG % {"more": more}


def now(offset_s=0):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + offset_s))


def digest(secret, body):
    return hmac.new(secret if isinstance(secret, bytes) else secret.encode(), body,
                    hashlib.sha256).digest()


def standard(secret, body, message="msg_1", at=None):
    """The headers of Standard Webhooks."""
    at = str(int(time.time()) if at is None else at)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join([message.encode(), at.encode(), body])
    return {"webhook-id": message, "webhook-timestamp": at,
            "webhook-signature": "v1," + base64.b64encode(digest(key, signed)).decode()}


def linkmi(event, at=None, **payload):
    return json.dumps({"event": event, "payload": payload, "timestamp": at or now()}).encode()


def dub(event, number, **data):
    return json.dumps({"id": f"evt_{number}", "event": event, "createdAt": now(), "data": data}).encode()


def send(bell, source, body, headers=None, secret=None):
    """Posts a delivery; secret goes into the path."""
    path = f"/in/{source}" + (f"/{secret}" if secret else "")
    return bell.post(path, body, headers=headers or {}, token=False)


def send_linkmi(bell, body, secret=SECRETS["LINKMI_SECRET"], source="linkmi", **headers):
    return send(bell, source, body, {"X-Linkmi-Signature": digest(secret, body).hex(), **headers})


def send_key(bell, source, body, header="X-Key"):
    value = SECRETS["HEADER_SECRET"]
    return send(bell, source, body, {header: "Bearer " + value if header == "Authorization" else value})


def counts(answer):
    """(status, accepted, duplicates, rejected, ignored)"""
    got = answer.json
    return (answer.status, *[got.get(k) for k in ("accepted", "duplicates", "rejected", "ignored")])
