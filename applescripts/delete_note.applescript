-- Undoes create_note; Notes keeps what is deleted for some weeks. Argument: the note's id.
-- Prints: an empty line, then a sentence. Errors: 20001 the note is gone.

on run argv
	set theHandle to item 1 of argv
	with timeout of 25 seconds
		tell application "Notes"
			if not (exists note id theHandle) then error "the note is not there any more" number 20001
			delete note id theHandle
		end tell
	end timeout
	return linefeed & "Note deleted"
end run
