"""What long work says as it goes."""


class Remark(str):
    """A sentence for people, to be left standing for a while; a plain text among the steps only says what is done."""
