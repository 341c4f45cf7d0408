-- Lists the to-dos of the Today list in Things. Arguments: tag ("" for all).
-- Prints: an empty line, then one title a line.

on run argv
	set theTag to item 1 of argv
	set theLines to {}
	with timeout of 20 seconds
		tell application "Things3"
			repeat with aTodo in to dos of list id "TMTodayListSource"
				if theTag is "" or (tag names of aTodo) contains theTag then set end of theLines to name of aTodo
			end repeat
		end tell
	end timeout
	set AppleScript's text item delimiters to linefeed
	return linefeed & (theLines as text)
end run
