"""What apps ask for about the account: logging in and out, and one's own tokens."""
