"""Transaction signatures (RFC 8945): sign and check messages with a shared secret. No I/O, no clock."""

from bindpy.tsig.keys import Keyring
from bindpy.tsig.messages import Signed, Verified, error_response, room_for, sign, verify
from bindpy.tsig.record import BADKEY, BADSIG, BADTIME, BADTRUNC, FORMERR, TsigError
from bindpy.tsig.stream import StreamSigner, StreamVerifier

__all__ = [
    "BADKEY",
    "BADSIG",
    "BADTIME",
    "BADTRUNC",
    "FORMERR",
    "Keyring",
    "Signed",
    "StreamSigner",
    "StreamVerifier",
    "TsigError",
    "Verified",
    "error_response",
    "room_for",
    "sign",
    "verify",
]
