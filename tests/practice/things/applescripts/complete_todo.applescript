-- Ticks off a to-do in Things. Arguments: title, or a part of it.
-- Prints: an empty line, then the result.

on run argv
	set theTitle to item 1 of argv
	with timeout of 20 seconds
		tell application "Things3"
			set theTitles to name of every to do
			repeat with i from 1 to (count of theTitles)
				if item i of theTitles contains theTitle then
					set status of to do i to completed
					return linefeed & "To-do completed"
				end if
			end repeat
		end tell
	end timeout
	error "no to-do has this title" number 20001
end run
