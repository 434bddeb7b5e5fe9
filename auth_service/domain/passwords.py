"""Which passwords are good enough (NIST SP 800-63B-4 section 3.1.1.2: length and a blocklist, no composition rules)."""

from dataclasses import dataclass, field

from auth_service.domain.errors import (
    InvalidPassword,
    PasswordRepeatsAccount,
    PasswordTooCommon,
    PasswordTooLong,
    PasswordTooShort,
)
from auth_service.domain.text import fold
from chassis.kernel.errors import MissingField

MOST_BYTES = 1024
"""Far more than anyone types; less than costs anything to hash."""

# The commonest passwords of the published leaks, and what people make of them to reach a length rule. Everything
# shorter than the default least length is refused by that already; the short ones count where it is set lower.
_COMMONEST = frozenset(
    """
    123456 1234567 12345678 123456789 1234567890 12345678910 123456789012 1234567891011 123123 123123123 112233 121212
    111111 000000 654321 666666 696969 888888 987654321 password password1 password12 password123 password1234
    password12345 password123456 passwordpassword passw0rd p@ssword p@ssw0rd p@ssw0rd123 p@ssw0rd1234 qwerty qwerty1
    qwerty12 qwerty123 qwerty1234 qwerty12345 qwerty123456 qwertyuiop qwertyuiop123 qwertyuiop[] 1q2w3e 1q2w3e4r
    1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx 1qaz2wsx3edc 1qaz2wsx3edc4rfv zaq12wsx asdfgh asdfghjkl asdfghjkl123 zxcvbn zxcvbnm
    zxcvbnm123 abc123 abcd1234 abcdef abcdefgh abcdefghijkl abcdefghijklm a1b2c3 a1b2c3d4 a1b2c3d4e5f6 iloveyou
    iloveyou123 iloveyou1234 iloveyouforever letmein letmein123 letmeinletmein welcome welcome1 welcome123 welcome1234
    welcome12345 admin admin1 admin123 admin1234 admin12345 administrator administrator1 adminadmin changeme changeme123
    changemeplease changemenow12 default secret secret123 secretsecret trustno1 monkey dragon dragondragon master shadow
    sunshine sunshine123 princess princess123 football football123 baseball baseball123 superman superman123 batman
    batman123 michael jordan jordan23 jennifer charlie donald starwars starwars123 pokemon pokemon123 whatever freedom
    computer computer123 internet internet123 samsung google google123 facebook hello hello123 hellohello hello12345678
    test test123 test1234 test12345 testtest testtesttest guest login login123 access temp1234 taskmanager taskmanager1
    taskmanager123 correcthorsebatterystaple
    """.split()  # noqa: SIM905 - a list of so many words reads best as text
)


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """Which new passwords are accepted. Nothing is ever cut or changed: what is typed is what is hashed."""

    least_characters: int
    use_blocklist: bool
    blocked: frozenset[str] = field(default=frozenset(), repr=False)
    """More that are refused, folded: what an operator knows that people here would choose."""

    def check(self, password: str, *, username: str, email: str, field: str = InvalidPassword.field) -> None:
        """Returns for a password that is good enough. `field` is what the caller sent it as.

        Raises:
            MissingField: it is empty.
            InvalidPassword: which of its subclasses says why.

        """
        if not password:
            raise MissingField(field=field)
        try:
            self._check(password, username=username, email=email)
        except InvalidPassword as error:
            error.field = field
            raise

    def _check(self, password: str, *, username: str, email: str) -> None:
        if len(password.encode()) > MOST_BYTES:
            raise PasswordTooLong
        if len(password) < self.least_characters:
            raise PasswordTooShort(least=self.least_characters)
        if not self.use_blocklist:
            return
        folded = fold(password)
        if folded in _COMMONEST or folded in self.blocked or len(set(folded)) == 1:
            raise PasswordTooCommon
        if folded in {fold(username), fold(email), fold(email).partition("@")[0]}:
            raise PasswordRepeatsAccount
