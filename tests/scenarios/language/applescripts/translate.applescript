-- Translates by my shortcut "Translate". Arguments: words; language.
-- Prints: an empty line, then the translation. Errors: 20004 no words.

on run argv
	set theWords to item 1 of argv
	if theWords is "" then error "nothing to translate is given" number 20004
	with timeout of 55 seconds
		tell application "Shortcuts Events"
			set theResult to run shortcut "Translate" with input {theWords, item 2 of argv}
		end tell
	end timeout
	return linefeed & (theResult as text)
end run
