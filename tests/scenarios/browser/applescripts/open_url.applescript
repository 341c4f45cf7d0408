-- Opens a web page in Safari. Argument: its address, with or without "https://".
-- Prints: an empty line, then a sentence. Errors: 20004 no address, or one that is no web address.

on run argv
	set theAddress to item 1 of argv
	if theAddress is "" then error "no address is given" number 20004
	if theAddress does not start with "https://" and theAddress does not start with "http://" then
		if theAddress contains ":" then error "\"" & theAddress & "\" is no web address" number 20004
		set theAddress to "https://" & theAddress
	end if
	with timeout of 25 seconds
		tell application "Safari"
			make new document with properties {URL:theAddress}
			activate
		end tell
	end timeout
	return linefeed & "Page opened"
end run
