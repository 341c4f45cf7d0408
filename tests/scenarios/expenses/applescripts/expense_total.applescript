-- Adds up expenses by my shortcut "Expense Total".
-- Arguments: category, or all; first day (0 for the beginning, or 3 or 6 followed by year, month, day and so on).
-- Prints: an empty line, then the sum.

property theArguments : {}
property theCursor : 0

on run argv
	set theArguments to argv
	set theCategory to nextText()
	set theDay to nextList()
	with timeout of 25 seconds
		tell application "Shortcuts Events"
			set theResult to run shortcut "Expense Total" with input ({theCategory} & theDay)
		end tell
	end timeout
	return linefeed & (theResult as text)
end run

on nextText()
	set theCursor to theCursor + 1
	return item theCursor of theArguments
end nextText

on nextList()
	set theItems to {}
	repeat ((nextText()) as integer) times
		set end of theItems to nextText()
	end repeat
	return theItems
end nextList
