DROP TABLE failure;
