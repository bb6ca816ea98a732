"""Taking what the systems push: verified, stored durably, answered."""
