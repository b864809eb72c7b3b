"""What a policy says, how an app binds to it, what is known of an exchange, what was found. Frozen values."""
