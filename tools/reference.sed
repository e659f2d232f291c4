# What turns our plain comments into Doxygen's, on the way into it (Doxyfile, INPUT_FILTER).
1s:^/\* \([^ ]*\) - :/** @file \1\n * @brief :
s:^/\* :/** :
s:\([;,]\) */\* :\1 /**< :
s:^ \* \(Owner\|Threads\|Processes\|Fork\|Death\)\: *: * @par \1\n * :
