"""What a team runs beside Radiotalk: rules for Prometheus, and a dashboard for Grafana."""
