"""Questions to the state. Nothing here changes anything; the moment comes in as an argument."""
