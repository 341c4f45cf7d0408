-- Finds a file by its name, opens it and gives its path. A name that several files have opens none of them.
-- Argument: the name, with or without its extension, or a full path. Prints: an empty line, then the path.
-- Errors: 20001 no such file; 20002 several (one path a line); 20004 the name is empty.

on run argv
	set wantedName to item 1 of argv
	if wantedName is "" then error "no file name is given" number 20004
	if wantedName starts with "/" then
		set thePaths to {wantedName}
	else
		set thePaths to pathsOf(wantedName)
	end if
	if (count of thePaths) is 0 then error "no file is called \"" & wantedName & "\"" number 20001
	if (count of thePaths) > 1 then error joined(thePaths) number 20002
	set thePath to item 1 of thePaths
	openOrReveal(thePath)
	return linefeed & thePath
end run

-- The files of exactly this name; failing those, the files whose name holds it. Program data and hidden folders are left out.
-- The name reaches the shell as one quoted word, and mdfind as the value of -name, which is matched and never run.
on pathsOf(wantedName)
	set homePath to POSIX path of (path to home folder)
	set iCloudPath to "/Library/Mobile Documents/" -- iCloud Drive, the one part of Library that is the user's
	set theOutput to do shell script "/usr/bin/mdfind -onlyin " & quoted form of homePath & " -name " & ¬
		quoted form of wantedName & " | /usr/bin/head -n 1000" without altering line endings
	set wholeMatches to {}
	set partMatches to {}
	repeat with theLine in paragraphs of theOutput
		set thePath to contents of theLine
		set isPrivate to thePath contains "/." or (thePath contains "/Library/" and thePath does not contain iCloudPath)
		if thePath is not "" and not isPrivate then
			set {fileName, fileStem} to namesOf(thePath)
			if fileName is wantedName or fileStem is wantedName then
				set end of wholeMatches to thePath
			else
				set end of partMatches to thePath
			end if
		end if
	end repeat
	if (count of wholeMatches) > 0 then return wholeMatches
	return partMatches
end pathsOf

-- The last part of a path, and the same without its extension.
on namesOf(thePath)
	set AppleScript's text item delimiters to "/"
	set fileName to last text item of thePath
	set AppleScript's text item delimiters to "."
	set fileStem to fileName
	if (count of text items of fileName) > 1 then set fileStem to (text items 1 thru -2 of fileName) as text
	set AppleScript's text item delimiters to ""
	return {fileName, fileStem}
end namesOf

-- Opens documents and folders; anything else (a program, a script, an installer, a thing unknown) is only shown in its
-- folder, because to open a program is to run it.
on openOrReveal(thePath)
	set theFile to (POSIX file thePath) as alias
	set theKinds to do shell script "/usr/bin/mdls -raw -name kMDItemContentTypeTree " & quoted form of thePath
	set isDocument to theKinds contains "public.content" or theKinds contains "public.folder"
	set isProgram to theKinds contains "public.script" or theKinds contains "public.executable"
	with timeout of 25 seconds
		tell application "Finder"
			if isDocument and not isProgram then
				open theFile
			else
				reveal theFile
				activate
			end if
		end tell
	end timeout
end openOrReveal

on joined(theTexts)
	set AppleScript's text item delimiters to linefeed
	set theText to theTexts as text
	set AppleScript's text item delimiters to ""
	return theText
end joined
