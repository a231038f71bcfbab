"""The adapter: serves APIs of the standard for institutions whose cores speak telegrams (전문) or JSON of their own."""
