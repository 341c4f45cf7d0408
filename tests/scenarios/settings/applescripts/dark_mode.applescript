-- Switches dark mode. Argument: on or off. Prints: an empty line, then a sentence.

on run argv
	set isDark to (item 1 of argv) is "on"
	with timeout of 25 seconds
		tell application "System Events"
			tell appearance preferences to set dark mode to isDark
		end tell
	end timeout
	return linefeed & "Look changed"
end run
