"""Tables of this application that grow for ever are split by month."""

from django.db import migrations

from revops.partitions import SplitByMonth


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]
    operations = [
        SplitByMonth("ledger_ledgerentry", "ledger", unique=[("record_id", "version", "digest")]),
    ]
