-- Reads the text of a PDF; the caller makes the summary of it.
-- Argument: the path. Prints: an empty line, then the text.
-- Errors: 20001 no PDF there; 20005 it is locked, or holds pictures and no text.

use framework "Foundation"
use framework "PDFKit"
use scripting additions

on run argv
	set thePath to item 1 of argv
	set theFile to current application's NSURL's fileURLWithPath:thePath
	set theDocument to current application's PDFDocument's alloc()'s initWithURL:theFile
	if theDocument is missing value then error "no PDF can be read at \"" & thePath & "\"" number 20001
	if (theDocument's isLocked()) as boolean then error "\"" & thePath & "\" is locked with a password" number 20005
	set theText to theDocument's |string|()
	if theText is missing value then error "\"" & thePath & "\" holds no text" number 20005
	set theText to theText as text
	if theText is "" then error "\"" & thePath & "\" holds no text; its pages may be pictures" number 20005
	return linefeed & theText
end run
