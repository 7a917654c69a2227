"""Errors of the accounts package.

AccountError
├── PersonExistsError      person_exists
├── InvalidUsernameError   invalid_username
└── LastAdminError         last_admin
"""


class AccountError(Exception):
    """Root. `code` is stable and public."""

    code = "internal_error"


class PersonExistsError(AccountError):
    """The user name is taken."""

    code = "person_exists"


class InvalidUsernameError(AccountError):
    """The user name has characters that names may not have, or none."""

    code = "invalid_username"


class LastAdminError(AccountError):
    """Nobody would be left to govern the installation."""

    code = "last_admin"
