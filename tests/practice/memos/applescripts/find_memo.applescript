-- Made up for a test: find_memo.

on run argv
	return linefeed & "done"
end run
