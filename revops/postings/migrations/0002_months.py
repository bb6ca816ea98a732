"""Tables of this application that grow for ever are split by month."""

from django.db import migrations

from revops.partitions import SplitByMonth


class Migration(migrations.Migration):
    dependencies = [("postings", "0001_initial")]
    operations = [
        SplitByMonth("postings_historicalchangeplan", "history"),
    ]
