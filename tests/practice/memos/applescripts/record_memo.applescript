-- Made up for a test: record_memo.

on run argv
	return linefeed & "done"
end run
