-- Undoes compose_new_email, reply_to_email and forward_email. Argument: the draft's Message-ID.
-- Prints: an empty line, then a sentence. Errors: 20001 the draft is gone, perhaps sent.

on run argv
	set theHandle to item 1 of argv
	with timeout of 25 seconds
		tell application "Mail"
			-- The drafts of every account, whatever the language calls their folder.
			set theIds to message id of every message of drafts mailbox
			repeat with i from 1 to (count of theIds)
				if item i of theIds is theHandle then
					delete message i of drafts mailbox
					return linefeed & "Draft deleted"
				end if
			end repeat
		end tell
	end timeout
	error "the draft is not in Drafts any more; it may have been sent" number 20001
end run
