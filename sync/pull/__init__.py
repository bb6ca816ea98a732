"""Reading the systems: pages since the watermark, stored through the inbox."""
