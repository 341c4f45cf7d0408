-- Shows a place on the map.
-- Argument: the place. Prints: an empty line, then a URL of it. Errors: 20004 the place is empty.

use framework "Foundation"
use scripting additions

on run argv
	set thePlace to item 1 of argv
	if thePlace is "" then error "no place is given" number 20004
	set theQuery to "?q=" & encoded(thePlace)
	open location ("maps://" & theQuery)
	return linefeed & "https://maps.apple.com/" & theQuery
end run

-- Percent-encoded, all but the letters, digits and marks that mean nothing in a URL.
on encoded(theText)
	set plainMarks to current application's NSCharacterSet's characterSetWithCharactersInString:"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	set theString to current application's NSString's stringWithString:theText
	return (theString's stringByAddingPercentEncodingWithAllowedCharacters:plainMarks) as text
end encoded
