"""From sound to the words of a request, on this machine alone. Knows nothing of plans, tools or screens."""
