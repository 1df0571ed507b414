# The generated parser decides by the next token alone; a decision that needs more would be many times slower.
file(STRINGS ${SOURCE} predictions REGEX "adaptivePredict")
if(predictions)
  list(LENGTH predictions count)
  message(FATAL_ERROR 
    "${count} decisions of the grammar are not LL(1), see compiler/README.md: ${predictions}")
endif()
