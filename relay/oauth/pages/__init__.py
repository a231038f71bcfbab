"""Pages of 개별인증 for customers: designed for phones, without JavaScript (규격 3.2.1)."""
