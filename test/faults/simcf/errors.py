# SPDX-License-Identifier: Apache-2.0
"""What the Cloud Controller says when it refuses: status, code and title belong together."""

KNOWN = {
    "InvalidAuthToken": (401, 1000, "Invalid Auth Token"),
    "NotAuthenticated": (401, 10002, "Authentication error"),
    "MessageParseError": (400, 1001, "Request invalid due to parse error: invalid request body"),
    "NotFound": (404, 10000, "Unknown request"),
    "UnknownError": (500, 10001, "An unknown error occurred."),
    "NotAuthorized": (403, 10003, "You are not authorized to perform the requested action"),
    "BadQueryParameter": (400, 10005, "The query parameter is invalid"),
    "UnprocessableEntity": (422, 10008, "The request is semantically invalid"),
    "ResourceNotFound": (404, 10010, "Resource not found"),
    "RateLimitExceeded": (429, 10013, "Rate Limit Exceeded"),
    "ServiceUnavailable": (503, 10015, "Service unavailable"),
    "UniquenessError": (422, 10016, "Name must be unique"),
    "PackageBitsAlreadyUploaded": (400, 150004, "Bits may be uploaded only once. Create a new "
                                                "package to upload different bits."),
    "StagingInProgress": (422, 170017, "Only one build can be STAGING at a time per application."),
    "InstancesUnavailable": (503, 220002, "Instances information unavailable: Stats unavailable"),
    "FeatureDisabled": (403, 330002, "Feature Disabled"),
    "DeploymentsDisabled": (403, 390014, "Deployments cannot be created due to manifest property "
                                         "'temporary_disable_deployments'"),
    "UnsupportedUserAgent": (400, 10004, "The request is invalid: cf version is too old"),
}


class Refused(Exception):
    """An answer with an `errors` array."""

    def __init__(self, name, detail=None, headers=()):
        self.status, self.code, usual = KNOWN[name]
        self.title = f"CF-{name}"
        self.detail = detail or usual
        self.headers = dict(headers)
        super().__init__(f"{self.status} {self.title}: {self.detail}")

    def body(self):
        return {"errors": [{"code": self.code, "title": self.title, "detail": self.detail}]}


def unprocessable(detail):
    return Refused("UnprocessableEntity", detail)


def not_found(kind):
    return Refused("ResourceNotFound", f"{kind} not found")
