"""Tables of this application that grow for ever are split by month."""

from django.db import migrations

from revops.partitions import SplitByMonth


class Migration(migrations.Migration):
    dependencies = [("cases", "0002_initial")]
    operations = [
        SplitByMonth("cases_historicalexceptioncase", "history"),
    ]
