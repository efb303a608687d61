"""What has to be found again after a change."""
