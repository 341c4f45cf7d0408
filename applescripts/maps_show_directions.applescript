-- Shows the way from one place to another.
-- Arguments: start ("" for here); destination; transport (d driving, w walking, r public transport).
-- Prints: an empty line, then a URL of the way. Errors: 20004 the destination is empty or the transport unknown.

use framework "Foundation"
use scripting additions

on run argv
	set startPlace to item 1 of argv
	set endPlace to item 2 of argv
	set theTransport to item 3 of argv
	if endPlace is "" then error "no destination is given" number 20004
	if {"d", "w", "r"} does not contain {theTransport} then error "\"" & theTransport & "\" is no transport" number 20004
	set theQuery to "?daddr=" & encoded(endPlace) & "&dirflg=" & theTransport
	if startPlace is not "" then set theQuery to theQuery & "&saddr=" & encoded(startPlace)
	open location ("maps://" & theQuery)
	return linefeed & "https://maps.apple.com/" & theQuery
end run

-- Percent-encoded, all but the letters, digits and marks that mean nothing in a URL.
on encoded(theText)
	set plainMarks to current application's NSCharacterSet's characterSetWithCharactersInString:"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	set theString to current application's NSString's stringWithString:theText
	return (theString's stringByAddingPercentEncodingWithAllowedCharacters:plainMarks) as text
end encoded
