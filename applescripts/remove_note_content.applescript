-- Undoes append_note_content. Argument: its handle (the note's id, its length before and after, tabs between).
-- Prints: an empty line, then a sentence. Errors: 20001 the note is gone; 20005 it has changed since.

on run argv
	set AppleScript's text item delimiters to tab
	set {noteId, oldLength, newLength} to text items of (item 1 of argv)
	set AppleScript's text item delimiters to ""
	set oldLength to oldLength as integer
	set newLength to newLength as integer

	with timeout of 25 seconds
		tell application "Notes"
			if not (exists note id noteId) then error "the note is not there any more" number 20001
			set theBody to body of note id noteId
			if (length of theBody) is not newLength then error "the note has changed since" number 20005
			if oldLength is 0 then
				set body of note id noteId to ""
			else
				set body of note id noteId to text 1 thru oldLength of theBody
			end if
		end tell
	end timeout
	return linefeed & "The added text is taken out again"
end run
