-- Writes a new email and saves it in Drafts. Nothing is sent.
-- Arguments: recipients, copies (each their number, then addresses); subject; text; attachments (their number, then paths).
-- Prints: line 1 the draft's Message-ID (the handle for undo, empty when Mail was slow to show it), then a sentence.

property theArguments : {}
property theCursor : 0

on run argv
	set theArguments to argv
	set theRecipients to nextList()
	set theCopies to nextList()
	set theSubject to nextText()
	set theText to nextText()
	set theFiles to filesOf(nextList())
	if (count of theFiles) > 0 then set theText to theText & linefeed & linefeed -- a place to attach to

	with timeout of 25 seconds
		tell application "Mail"
			set knownIds to id of every message of drafts mailbox
			set theDraft to make new outgoing message with properties {subject:theSubject, content:theText, visible:false}
			tell theDraft
				repeat with theAddress in theRecipients
					make new to recipient at end of to recipients with properties {address:(contents of theAddress)}
				end repeat
				repeat with theAddress in theCopies
					make new cc recipient at end of cc recipients with properties {address:(contents of theAddress)}
				end repeat
				repeat with theFile in theFiles
					tell content to make new attachment with properties {file name:(contents of theFile)} at after last paragraph
				end repeat
			end tell
			if (count of theFiles) > 0 then delay 2 -- Mail attaches in the background and tells nobody when it has
			save theDraft
			try
				close theDraft saving yes -- an open, invisible message would stay behind
			end try
		end tell
	end timeout
	return handleOf(theSubject, knownIds) & linefeed & "Draft saved"
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

-- Aliases, made here because Mail may read a file only when it is handed one; a path that leads nowhere stops the step.
on filesOf(thePaths)
	set theFiles to {}
	repeat with thePath in thePaths
		set end of theFiles to (POSIX file (contents of thePath)) as alias
	end repeat
	return theFiles
end filesOf

-- The Message-ID of the draft that was not there before, "" if it stays away: Mail saves in the background, so look again
-- for two seconds. Message numbers change whenever a draft is saved anew, its Message-ID does not.
on handleOf(theSubject, knownIds)
	repeat 5 times
		with timeout of 25 seconds
			tell application "Mail"
				set theIds to id of every message of drafts mailbox
				repeat with i from 1 to (count of theIds)
					if knownIds does not contain {item i of theIds} then
						if subject of message i of drafts mailbox is theSubject then return message id of message i of drafts mailbox
					end if
				end repeat
			end tell
		end timeout
		delay 0.4
	end repeat
	return ""
end handleOf
