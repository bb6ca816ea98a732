"""Tables of this application that grow for ever are split by month."""

from django.db import migrations

from revops.partitions import SplitByMonth


class Migration(migrations.Migration):
    dependencies = [("people", "0001_initial")]
    operations = [
        SplitByMonth("people_historicalaccessproposal", "history"),
        SplitByMonth("people_historicaldelegation", "history"),
        SplitByMonth("people_historicalrolegrant", "history"),
        SplitByMonth("people_historicaluser", "history"),
    ]
