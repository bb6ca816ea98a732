"""What goes out: each posting leaves once, and its outcome is looked up before anything is sent again."""
