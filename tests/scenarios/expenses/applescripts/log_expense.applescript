-- Writes an expense down by my shortcut "Log Expense", which adds a row to a spreadsheet.
-- Arguments: amount; category; day (0 for today, or 3 or 6 followed by year, month, day and so on); who shares it (how
--   many, then the names).
-- Prints: an empty line, then a sentence. Errors: 20004 no amount.

property theArguments : {}
property theCursor : 0

on run argv
	set theArguments to argv
	set theAmount to nextText()
	set theCategory to nextText()
	set theDay to nextList()
	set thePeople to nextList()
	if theAmount is "" then error "no amount is given" number 20004
	set dayText to joined(theDay, "-")
	set peopleText to joined(thePeople, ", ")
	with timeout of 25 seconds
		tell application "Shortcuts Events" to run shortcut "Log Expense" with input {theAmount, theCategory, dayText, peopleText}
	end timeout
	return linefeed & "Expense logged"
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

on joined(theTexts, theMark)
	set AppleScript's text item delimiters to theMark
	set theText to theTexts as text
	set AppleScript's text item delimiters to ""
	return theText
end joined
