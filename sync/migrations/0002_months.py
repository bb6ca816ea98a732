"""Tables of this application that grow for ever are split by month."""

from django.db import migrations

from revops.partitions import SplitByMonth


class Migration(migrations.Migration):
    dependencies = [("sync", "0001_initial")]
    operations = [
        SplitByMonth("sync_delivery", "inbox", unfinished="state IN ('pending', 'quarantined')"),
        SplitByMonth("sync_historicalconnection", "history"),
        SplitByMonth("sync_historicalpostingproposal", "history"),
    ]
