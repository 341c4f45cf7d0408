-- Looks something up in Safari. Arguments: what to look for; kind (web, images, news).
-- Prints: an empty line, then the URL of the results. Errors: 20004 nothing to look for.

use framework "Foundation"
use scripting additions

on run argv
	set theQuery to item 1 of argv
	set theKind to item 2 of argv
	if theQuery is "" then error "nothing to look for is given" number 20004
	set theAddress to "https://duckduckgo.com/?q=" & encoded(theQuery)
	if theKind is "images" then set theAddress to theAddress & "&iax=images&ia=images"
	if theKind is "news" then set theAddress to theAddress & "&iar=news&ia=news"
	with timeout of 25 seconds
		tell application "Safari"
			make new document with properties {URL:theAddress}
			activate
		end tell
	end timeout
	return linefeed & theAddress
end run

-- Percent-encoded, all but the letters, digits and marks that mean nothing in a URL.
on encoded(theText)
	set plainMarks to current application's NSCharacterSet's characterSetWithCharactersInString:"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	set theString to current application's NSString's stringWithString:theText
	return (theString's stringByAddingPercentEncodingWithAllowedCharacters:plainMarks) as text
end encoded
