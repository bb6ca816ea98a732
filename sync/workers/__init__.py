"""Celery entries, the sweeper and the watch. Nothing below imports them."""
