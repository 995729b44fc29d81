# SPDX-License-Identifier: Apache-2.0
"""The token server: grants, rotation, lock-out. Tokens look like JWTs and are known by lookup."""

import base64
import binascii
import json
import urllib.parse

LOCK_AFTER, LOCK_WITHIN_S, LOCK_FOR_S = 5, 1200, 300


class Denied(Exception):
    def __init__(self, status, error, description):
        self.status, self.error, self.description = status, error, description
        super().__init__(error)

    def body(self):
        return {"error": self.error, "error_description": self.description}


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Uaa:
    def __init__(self, world):
        self.world = world
        self.clients = {"cf": {"secret": "", "user": None}}  # user: whom the client itself acts as
        self.life_s = 1200
        self.refresh_life_s = 2592000
        self.rotate = False
        self.tokens, self.refresh = {}, {}   # token -> (user, expiry); …, client)
        self.passcodes = {}                  # passcode -> user
        self.failures = {}                   # user name -> times
        self.hints = []                      # every login_hint that was read
        self.opaque = False
        self.serial = 0

    def client(self, name, secret, user):
        self.clients[name] = {"secret": secret, "user": user}

    # ---- the request -----------------------------------------------------------------------------

    def grant(self, headers, body, raw_query=""):
        form = dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        form.update(urllib.parse.parse_qsl(raw_query))
        client = self._client(headers, form)
        self._hint(form)
        grants = {"password": self._password, "client_credentials": self._itself,
                  "refresh_token": self._refresh}
        kind = form.get("grant_type")
        if kind is None:
            raise Denied(400, "invalid_request", "Missing grant type")
        if kind not in grants:
            raise Denied(400, "unsupported_grant_type", f"Unsupported grant type: {kind}")
        return grants[kind](client, form)

    def _client(self, headers, form):
        name, secret = form.get("client_id"), form.get("client_secret", "")
        kind, _, code = headers.get("authorization", "").partition(" ")
        if kind.lower() == "basic":
            try:
                name, _, secret = base64.b64decode(code, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                raise Denied(401, "unauthorized", "Bad credentials") from None
            name, secret = urllib.parse.unquote(name), urllib.parse.unquote(secret)
        if name not in self.clients or self.clients[name]["secret"] != secret:
            raise Denied(401, "unauthorized", "Bad credentials")
        return name

    def _hint(self, form):
        if "login_hint" not in form:
            return
        try:  # the parameter's value is decoded once more
            self.hints.append(json.loads(urllib.parse.unquote(form["login_hint"])))
        except ValueError:
            self.hints.append(None)  # ignored in silence, as the real one does

    # ---- grants ----------------------------------------------------------------------------------

    def _password(self, client, form):
        if "passcode" in form:
            user = self.passcodes.pop(form["passcode"], None)
            if user is None:
                raise Denied(401, "unauthorized", "Invalid passcode")
            return self._answer(user, client, True)
        name, now = form.get("username", ""), self.world.clock.now()
        failed = [at for at in self.failures.get(name, []) if now - at < LOCK_WITHIN_S]
        if len(failed) >= LOCK_AFTER and now - failed[-1] < LOCK_FOR_S:
            raise Denied(401, "unauthorized", "Your account has been locked because of too many "
                                              "failed attempts to login.")
        for user in self.world.users.values():
            if user.name == name and user.password and user.password == form.get("password"):
                self.failures.pop(name, None)
                return self._answer(user, client, True)
        self.failures[name] = [*failed, now]
        raise Denied(401, "unauthorized", "Bad credentials")

    def _itself(self, client, _):
        user = self.clients[client]["user"]
        if user is None:
            raise Denied(401, "unauthorized", "Unauthorized grant type: client_credentials")
        return self._answer(user, client, False)

    def _refresh(self, client, form):
        token = form.get("refresh_token")
        user, expiry, owner = self.refresh.get(token, (None, 0, None))
        if user is None or owner != client or expiry <= self.world.clock.now():
            raise Denied(401, "invalid_token", "The token expired, was revoked, or the token ID is "
                                               "incorrect.")
        if self.rotate:
            del self.refresh[token]
        return self._answer(user, client, True, None if self.rotate else token)

    def _answer(self, user, client, refreshable, refresh=None):
        now = self.world.clock.now()
        answer = {"access_token": self._token(user, client, now), "token_type": "bearer",
                  "expires_in": int(self.life_s), "scope": " ".join(sorted(user.scopes)),
                  "jti": str(self.serial)}
        self.tokens[answer["access_token"]] = (user, now + self.life_s)
        if refreshable:
            if refresh is None:
                refresh = f"{self.world.guid()}-r"
                self.refresh[refresh] = (user, now + self.refresh_life_s, client)
            answer["refresh_token"] = refresh
        return answer

    def _token(self, user, client, now):
        self.serial += 1
        if self.opaque:
            return f"opaque-{self.world.guid()}"
        head = {"alg": "RS256", "typ": "JWT", "kid": "simcf"}
        body = {"jti": str(self.serial), "user_id": user.guid, "user_name": user.name,
                "client_id": client, "scope": sorted(user.scopes), "iat": int(now),
                "exp": int(now + self.life_s), "aud": ["cloud_controller", client]}
        parts = [b64(json.dumps(part).encode()) for part in (head, body)]
        return ".".join([*parts, b64(self.world.guid().encode())])

    # ---- whose token is it -----------------------------------------------------------------------

    def user_of(self, token):
        """None: nobody's, or no longer."""
        user, expiry = self.tokens.get(token, (None, 0))
        return user if expiry > self.world.clock.now() else None

    def revoke(self):
        """All tokens, as when UAA's keys are changed."""
        self.tokens.clear()
        self.refresh.clear()
