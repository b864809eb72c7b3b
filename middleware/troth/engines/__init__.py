"""What judges an exchange: the embedded engine, and the reference it is held against."""
