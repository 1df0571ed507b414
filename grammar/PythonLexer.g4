// The words of Python 3.9 to 3.15.
//
// The input is the source's UTF-8 bytes, with every byte outside of ASCII shown as U+007F
// (syntax/byte_stream): so offsets are byte offsets, any non-ASCII character may be part of a name whatever
// Unicode version the interpreter has, and the lexer's automaton never leaves its ASCII tables.
//
// The lexer knows no context. What needs it is done on its tokens: which mode follows inside of formatted
// strings, and which line ends are inside of brackets (syntax/scanner), INDENT and DEDENT
// (syntax/indentation), and the keywords that are names elsewhere (syntax/soft_keywords).

lexer grammar PythonLexer;

tokens { INDENT, DEDENT, MATCH, CASE, TYPE, LAZY, FSTRING_MIDDLE, FSTRING_NAMED, FSTRING_END }

// Statements
IF : 'if' ;
ELIF : 'elif' ;
ELSE : 'else' ;
FOR : 'for' ;
WHILE : 'while' ;
TRY : 'try' ;
EXCEPT : 'except' ;
FINALLY : 'finally' ;
WITH : 'with' ;
DEF : 'def' ;
CLASS : 'class' ;
ASYNC : 'async' ;
RETURN : 'return' ;
RAISE : 'raise' ;
DEL : 'del' ;
ASSERT : 'assert' ;
PASS : 'pass' | 'break' | 'continue' ;
GLOBAL : 'global' | 'nonlocal' ;
IMPORT : 'import' ;
FROM : 'from' ;
YIELD : 'yield' ;

// Operands
NUMBER
    : '0' [xX] ('_'? [0-9a-fA-F])+
    | '0' [oO] ('_'? [0-7])+
    | '0' [bB] ('_'? [01])+
    | (DIGITS ('.' DIGITS?)? | '.' DIGITS) ([eE] [+-]? DIGITS)? [jJ]?
    ;
CONSTANT : 'None' | 'True' | 'False' ;
STRING : STRING_PREFIX? (SHORT_STRING | LONG_STRING) ;
FSTRING_START : FSTRING_PREFIX ('\'' | '"' | '\'\'\'' | '"""') ;
ELLIPSIS : '...' ;
LAMBDA : 'lambda' ;

// Operators
AWAIT : 'await' ;
NOT : 'not' ;
TILDE : '~' ;
PLUS : '+' ;
MINUS : '-' ;
STAR : '*' ;
DOUBLE_STAR : '**' ;
SLASH : '/' ;
AT : '@' ;
BAR : '|' ;
IN : 'in' ;
OPERATOR
    : 'and' | 'or' | 'is'
    | '//' | '%' | '<<' | '>>' | '&' | '^' | '==' | '!=' | '<>' | '<' | '<=' | '>' | '>='
    ;
AS : 'as' ;
NAME : NAME_START NAME_PART* ;  // behind every keyword: of two matches of one length the first rule wins

// Punctuation
OPEN_PAREN : '(' ;
CLOSE_PAREN : ')' ;
OPEN_BRACKET : '[' ;
CLOSE_BRACKET : ']' ;
OPEN_BRACE : '{' ;
CLOSE_BRACE : '}' ;
DOT : '.' ;
COMMA : ',' ;
COLON : ':' ;
SEMICOLON : ';' ;
EQUAL : '=' ;
WALRUS : ':=' ;
ARROW : '->' ;
EXCLAMATION : '!' ;
AUGMENTED : '+=' | '-=' | '*=' | '/=' | '//=' | '%=' | '@=' | '&=' | '|=' | '^=' | '>>=' | '<<=' | '**=' ;
NEWLINE : LINE_END ;

SPACE : [ \t\f]+ -> skip ;
COMMENT : '#' ~[\r\n]* -> skip ;
CONTINUATION : '\\' LINE_END -> skip ;
UNKNOWN : . ;

// Formatted strings: the text between replacement fields, and that of format specifications. One mode for
// each kind of quotes, since the text may hold the others.
mode SINGLE_TEXT;
SINGLE_TEXT_MIDDLE : (~['\\{}\r\n] | TEXT_ESCAPE | '{{' | '}}')+ -> type(FSTRING_MIDDLE) ;
SINGLE_TEXT_NAMED : NAMED_CHARACTER -> type(FSTRING_NAMED) ;
SINGLE_TEXT_END : '\'' -> type(FSTRING_END) ;
SINGLE_TEXT_OPEN : [{] -> type(OPEN_BRACE) ;
SINGLE_TEXT_BACKSLASH : '\\' -> type(FSTRING_MIDDLE) ;
SINGLE_TEXT_UNKNOWN : . -> type(UNKNOWN) ;

mode DOUBLE_TEXT;
DOUBLE_TEXT_MIDDLE : (~["\\{}\r\n] | TEXT_ESCAPE | '{{' | '}}')+ -> type(FSTRING_MIDDLE) ;
DOUBLE_TEXT_NAMED : NAMED_CHARACTER -> type(FSTRING_NAMED) ;
DOUBLE_TEXT_END : '"' -> type(FSTRING_END) ;
DOUBLE_TEXT_OPEN : [{] -> type(OPEN_BRACE) ;
DOUBLE_TEXT_BACKSLASH : '\\' -> type(FSTRING_MIDDLE) ;
DOUBLE_TEXT_UNKNOWN : . -> type(UNKNOWN) ;

mode LONG_SINGLE_TEXT;
LONG_SINGLE_TEXT_MIDDLE : (~['\\{}] | TEXT_ESCAPE | '{{' | '}}')+ -> type(FSTRING_MIDDLE) ;
LONG_SINGLE_TEXT_NAMED : NAMED_CHARACTER -> type(FSTRING_NAMED) ;
LONG_SINGLE_TEXT_END : '\'\'\'' -> type(FSTRING_END) ;
LONG_SINGLE_TEXT_OPEN : [{] -> type(OPEN_BRACE) ;
LONG_SINGLE_TEXT_OTHER : ('\'' | '\\') -> type(FSTRING_MIDDLE) ;
LONG_SINGLE_TEXT_UNKNOWN : . -> type(UNKNOWN) ;

mode LONG_DOUBLE_TEXT;
LONG_DOUBLE_TEXT_MIDDLE : (~["\\{}] | TEXT_ESCAPE | '{{' | '}}')+ -> type(FSTRING_MIDDLE) ;
LONG_DOUBLE_TEXT_NAMED : NAMED_CHARACTER -> type(FSTRING_NAMED) ;
LONG_DOUBLE_TEXT_END : '"""' -> type(FSTRING_END) ;
LONG_DOUBLE_TEXT_OPEN : [{] -> type(OPEN_BRACE) ;
LONG_DOUBLE_TEXT_OTHER : ('"' | '\\') -> type(FSTRING_MIDDLE) ;
LONG_DOUBLE_TEXT_UNKNOWN : . -> type(UNKNOWN) ;

mode SINGLE_FORMAT;
SINGLE_FORMAT_MIDDLE : (~['\\{}\r\n] | TEXT_ESCAPE)+ -> type(FSTRING_MIDDLE) ;
SINGLE_FORMAT_NAMED : NAMED_CHARACTER -> type(FSTRING_NAMED) ;
SINGLE_FORMAT_OPEN : [{] -> type(OPEN_BRACE) ;
SINGLE_FORMAT_CLOSE : [}] -> type(CLOSE_BRACE) ;
SINGLE_FORMAT_BACKSLASH : '\\' -> type(FSTRING_MIDDLE) ;
SINGLE_FORMAT_UNKNOWN : . -> type(UNKNOWN) ;

mode DOUBLE_FORMAT;
DOUBLE_FORMAT_MIDDLE : (~["\\{}\r\n] | TEXT_ESCAPE)+ -> type(FSTRING_MIDDLE) ;
DOUBLE_FORMAT_NAMED : NAMED_CHARACTER -> type(FSTRING_NAMED) ;
DOUBLE_FORMAT_OPEN : [{] -> type(OPEN_BRACE) ;
DOUBLE_FORMAT_CLOSE : [}] -> type(CLOSE_BRACE) ;
DOUBLE_FORMAT_BACKSLASH : '\\' -> type(FSTRING_MIDDLE) ;
DOUBLE_FORMAT_UNKNOWN : . -> type(UNKNOWN) ;

mode LONG_FORMAT;
LONG_FORMAT_MIDDLE : (~[\\{}] | TEXT_ESCAPE)+ -> type(FSTRING_MIDDLE) ;
LONG_FORMAT_NAMED : NAMED_CHARACTER -> type(FSTRING_NAMED) ;
LONG_FORMAT_OPEN : [{] -> type(OPEN_BRACE) ;
LONG_FORMAT_CLOSE : [}] -> type(CLOSE_BRACE) ;
LONG_FORMAT_BACKSLASH : '\\' -> type(FSTRING_MIDDLE) ;
LONG_FORMAT_UNKNOWN : . -> type(UNKNOWN) ;

fragment NAME_START : [a-zA-Z_\u007F] ;
fragment NAME_PART : [a-zA-Z0-9_\u007F] ;
fragment DIGITS : [0-9] ('_'? [0-9])* ;
fragment LINE_END : '\r'? '\n' | '\r' ;

fragment STRING_PREFIX : [rRbBuU] | [rR] [bB] | [bB] [rR] ;
fragment FSTRING_PREFIX : [fFtT] [rR]? | [rR] [fFtT] ;
fragment ESCAPE : '\\' (~[\r\n] | LINE_END) ;
fragment SHORT_STRING : '\'' (~['\\\r\n] | ESCAPE)* '\'' | '"' (~["\\\r\n] | ESCAPE)* '"' ;
fragment LONG_STRING
    : '\'\'\'' (('\'' '\''?)? (~['\\] | ESCAPE))* '\'\'\''
    | '"""' (('"' '"'?)? (~["\\] | ESCAPE))* '"""'
    ;

// A backslash does not hide a brace; `\N{…}` names a character, but not in a raw string (syntax/scanner
// knows).
fragment TEXT_ESCAPE : '\\' (~[{}\r\nN] | LINE_END) ;
fragment NAMED_CHARACTER : '\\N{' [a-zA-Z0-9 \-]+ '}' ;
